"""What windows say of responses, whatever a judge was asked: rankings, ratings, both."""
