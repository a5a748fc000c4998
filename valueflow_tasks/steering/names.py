"""What a user names of values, levels, pairs, squares and profiles, in the catalogue's words."""

import re
from collections.abc import Sequence

from valueflow.hub_assets.errors import OptionError, UnknownNameError
from valueflow.hub_assets.inputs.options import number_option, words_option
from valueflow.hub_assets.registry.loading import FiveValueSquare, Pair, Registry, Value
from valueflow.hub_assets.survey.persons import Profile, load_profile, profile_files

__all__ = [
    "levels_option",
    "pair_levels_option",
    "pairs_option",
    "profiles_option",
    "squares_option",
    "strongest_option",
    "values_option",
]


def values_option(registry: Registry, values: object, theory: object) -> list[Value]:
    """The values to steer, in the registry's order.

    Args:
        registry: the catalogue.
        values: names in any spelling, or None for all of the theory.
        theory: a theory, or None: the theories of the named values, pvq where none is named.

    Raises:
        OptionError: a value stands twice, or the list is empty.
        UnknownNameError: an unknown value or theory.
    """
    words = words_option(values)
    if values is not None and not words:
        raise OptionError("values", "names no value; leave it out for all values of the theory")
    if not words:
        return list(registry.theory(theory or registry.defaults.steer.theory).values)
    found = [registry.value(word, theory) for word in words]
    names = [(value.theory, value.name) for value in found]
    for name in names:
        if names.count(name) > 1:
            raise OptionError("values", f"{name[0]}:{name[1]} is named twice")
    return [value for value in registry.macro_values() if (value.theory, value.name) in names]


def levels_option(registry: Registry, levels: object) -> list[int]:
    """Steering levels, sorted, 0 always among them.

    Raises:
        OptionError: not a level, a level twice, or none but 0.
    """
    if levels is None:
        return [level.level for level in registry.levels]
    found = [registry.level(word).level for word in words_option(levels)]
    if len(found) != len(set(found)):
        raise OptionError("levels", f"a level is named twice in {words_option(levels)}")
    if not set(found) - {0}:
        raise OptionError("levels", "names no level but 0; give at least one of -2, -1, 1, 2")
    return sorted({*found, 0})


def pairs_option(
    registry: Registry,
    pairs: object,
    theory: object | None,
    levels: Sequence[tuple[int, int]] | None = None,
) -> list[Pair]:
    """The pairs to steer: names such as `power+universalism`, or all of a theory.

    A pair that the catalogue lists has its levels, another one the default levels. The members may
    stand in either order and any spelling; a pair of the catalogue keeps the catalogue's order.

    Args:
        registry: the catalogue.
        pairs: the names, or None.
        theory: whose pairs, where none is named.
        levels: levels of every pair in place of its own, the first that of the member which is
            named first.

    Raises:
        OptionError: a pair without two members, or of a value with itself.
        UnknownNameError: an unknown theory or value.
    """
    words = words_option(pairs)
    if pairs is not None and not words:
        raise OptionError("pairs", "names no pair; leave it out for all pairs of the theory")
    if not words:
        wanted = registry.theory(theory or registry.defaults.steer.theory).name
        found = [pair for pair in registry.pairs if registry.theory(pair.theory).name == wanted]
        if not found:
            raise OptionError("pairs", f"the catalogue has no pair of {wanted}; name some")
        return [_at(pair, levels) for pair in found]
    chosen = [_pair(registry, word, theory, levels) for word in words]
    sets = [frozenset(pair.values) for pair in chosen]
    for pair in chosen:
        if sets.count(frozenset(pair.values)) > 1:
            raise OptionError("pairs", f"{pair.name} is named twice")
    return chosen


def _at(pair: Pair, levels: Sequence[tuple[int, int]] | None) -> Pair:
    """The pair at these levels, or at its own."""
    return pair.model_copy(update={"levels": tuple(levels), "also": ()}) if levels else pair


def _pair(
    registry: Registry,
    word: str,
    theory: object | None,
    levels: Sequence[tuple[int, int]] | None,
) -> Pair:
    parts = [part.strip() for part in re.split(r"[&+×]", word)]
    if len(parts) != 2 or not all(parts):
        raise OptionError("pairs", f"{word!r} is no pair; write two values as power+universalism")
    first = _member(registry, parts[0], theory)
    second = _member(registry, parts[1], first.theory)
    if first == second:
        raise OptionError("pairs", f"{first.name} stands on both sides of {word!r}")
    # A user's own pairs come last in the catalogue, and before it here.
    for pair in reversed(registry.pairs):
        members = registry.check_pair(pair)
        if members == (first, second):
            return _at(pair, levels)
        if members == (second, first):
            return _at(pair, levels and [(other, one) for one, other in levels])
    return _at(Pair(theory=first.theory, values=(first.name, second.name)), levels)


def _member(registry: Registry, name: str, theory: object | None) -> Value:
    """A value of that name before a child of it: `tradition` is Schwartz's, not a child of mft."""
    try:
        return registry.value(name, theory)
    except UnknownNameError:
        return registry.steerable(name, theory)


def squares_option(
    registry: Registry, sets: object, theory: object | None
) -> list[FiveValueSquare]:
    """The five-value squares to steer, by name; those of a theory where none is named.

    Raises:
        OptionError: the theory has none, or a named square is of another theory.
        UnknownNameError: an unknown theory or square.
    """
    squares = registry.five_value_squares
    words = words_option(sets)
    for word in words:
        if word not in squares:
            raise UnknownNameError("square", word, squares, "`valueflow list squares` shows them.")
        own = registry.theory(squares[word].theory).name
        if theory is not None and registry.theory(theory).name != own:
            raise OptionError(
                "sets", f"{word} is a square of {own}, not of {theory}; leave the theory out"
            )
    if words:
        return [squares[word] for word in dict.fromkeys(words)]
    wanted = registry.theory(theory or registry.defaults.steer.theory).name
    found = [s for s in squares.values() if registry.theory(s.theory).name == wanted]
    if not found:
        raise OptionError("sets", f"the catalogue has no five-value square of {wanted}")
    return found


def profiles_option(registry: Registry, profile: object, theory: object | None) -> list[Profile]:
    """The profiles to steer by, from files and folders, in the order in which they are named.

    Args:
        registry: the catalogue.
        profile: paths, see `profile_files`.
        theory: the theory that they must be of; that of the first where None.

    Raises:
        OptionError: none is named.
        InputFileError: a file that cannot be used, or profiles of two theories.
        UnknownNameError: an unknown theory.
    """
    words = words_option(profile)
    if not words:
        raise OptionError("profile", "names no file; give -T profile=profile.json")
    wanted = registry.theory(theory).name if theory is not None else None
    found: list[Profile] = []
    for path in (path for word in words for path in profile_files(word)):
        found.append(load_profile(path, registry, wanted))
        wanted = found[0].theory
    return found


def strongest_option(raw: object) -> int | None:
    """How many values a prompt names: a whole number, or None for `all`.

    Raises:
        OptionError: it is neither.
    """
    if raw is None or str(raw).strip().lower() == "all":
        return None
    return number_option("values_per_prompt", raw, 1)


def pair_levels_option(registry: Registry, levels: object) -> list[tuple[int, int]] | None:
    """Levels of a pair: `2/2,2/-2`, `[[2, 2], [2, -2]]`, or None for each pair's own.

    Raises:
        OptionError: no pair of levels, or a level 0.
    """
    if levels is None:
        return None
    items: Sequence[object] = levels if isinstance(levels, list | tuple) else [str(levels)]
    parts: list[list[object]] = []
    for item in items:
        if isinstance(item, str):
            parts += [list(word.split("/")) for word in item.split(",") if word.strip()]
        else:
            parts.append(list(item) if isinstance(item, list | tuple) else [item])
    found: list[tuple[int, int]] = []
    for part in parts:
        if len(part) != 2:
            raise OptionError("levels", f"{part!r} is no pair of levels; write 2/2,2/-1")
        first, second = (registry.level(level).level for level in part)
        if not first or not second:
            raise OptionError("levels", "level 0 steers nothing; give -2, -1, 1 or 2")
        found.append((first, second))
    if not found:
        raise OptionError("levels", "names no pair of levels; write 2/2,2/-1")
    return list(dict.fromkeys(found))
