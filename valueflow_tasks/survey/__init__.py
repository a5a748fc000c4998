"""The task `opinionqa`: survey questions, answered as demographic groups would."""
