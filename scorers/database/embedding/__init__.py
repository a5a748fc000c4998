"""Value embeddings (HiVES): reading, comparing and using vectors of texts."""
