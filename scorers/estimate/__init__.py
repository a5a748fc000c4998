"""From windows to intensities: the judge's model, responses, cells, their errors. Arrays only."""
