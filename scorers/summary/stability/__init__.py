"""How stable judges are: the same texts, asked about in several ways, of several judges."""
