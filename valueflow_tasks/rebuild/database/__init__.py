"""Building a database of anchors: recipe, stages, judging, folder."""
