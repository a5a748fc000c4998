"""The command `valueflow`, put together of those in `valueflow.commands`."""

from typing import Any

import click

from valueflow.commands.listing import list_command
from valueflow.commands.lm_eval import lm_eval_commands
from valueflow.commands.plan import plan_command
from valueflow.commands.rebuild.database import build_command
from valueflow.commands.rebuild.hives import encode_command, hives_commands
from valueflow.commands.rebuild.hub import package_command, pull_command, push_command
from valueflow.commands.rebuild.review import review_command
from valueflow.commands.results.compare import compare_command
from valueflow.commands.results.judge_study import judge_study_command
from valueflow.commands.results.repair import repair_command
from valueflow.commands.results.report import report_command
from valueflow.commands.results.score import score_command
from valueflow.commands.results.show import show_command
from valueflow.commands.results.summary import summary_command
from valueflow.commands.screen import examples
from valueflow.commands.selfcheck import selfcheck_command
from valueflow.commands.study import study_command
from valueflow.hub_assets.errors import ValueflowError, singular

__all__ = ["main"]


class _Commands(click.Group):
    """A group whose commands end with `Error: ...` where a user can mend what went wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.ClickException:
            raise
        except ValueflowError as error:
            raise click.ClickException(singular(str(error))) from None


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "inspect eval valueflow/steer --model valueflow/respondent \\",
        "    --model-role grader=valueflow/judge       steer and measure, simulated and offline",
        "valueflow list values --theory mft           what can be steered",
        "valueflow selfcheck                          truth beside estimate",
        "valueflow plan --queries 100 --se 0.5        what a study needs and costs",
        "valueflow study study.yaml                   models, judges, tasks and seeds of one file",
        "valueflow summary logs/RUN.eval              what a run says, on one screen",
        "valueflow score logs/RUN.eval -o scores      tables from saved rankings",
        "valueflow show logs/RUN.eval --cell power/+2   responses, windows, the judge's words",
        "valueflow repair logs/RUN.eval               ask again for rankings that are missing",
        "valueflow report logs -o report              pictures and tables of any number of runs",
        "valueflow compare A.eval B.eval              what changed, and what is noise",
        "valueflow judge-study FILES -o stability     how far judges and wordings agree",
        "valueflow build vidb recipe.yaml -o build    a database from your own texts and judges",
        "valueflow build hives hives.yaml -o hives   an embedding model of values",
        "valueflow hives evaluate hives/model hives  how good it is, beside baselines",
        "valueflow encode texts.csv -o vectors --model hives/model",
        "valueflow review build                       what its judges left to people",
        "valueflow push vidb DIR --repo ORG/NAME --tag v1.1",
        "valueflow push hives hives --repo ORG/NAME --tag v1.0",
    ),
)
@click.version_option(package_name="valueflow")
def main() -> None:
    """Steer language models toward human values, and measure how far they go.

    The studies themselves are run by Inspect: `inspect eval valueflow/steer --model X`. This
    command shows what there is to steer, checks the instrument and works on saved results.
    """


for _command in (
    build_command,
    compare_command,
    encode_command,
    hives_commands,
    judge_study_command,
    list_command,
    lm_eval_commands,
    package_command,
    plan_command,
    pull_command,
    push_command,
    repair_command,
    report_command,
    review_command,
    score_command,
    selfcheck_command,
    show_command,
    study_command,
    summary_command,
):
    main.add_command(_command)

if __name__ == "__main__":
    main()
