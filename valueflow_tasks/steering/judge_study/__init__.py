"""How stable judges are: several judges, wordings and ways of asking on the same texts."""
