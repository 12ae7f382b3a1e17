"""What model versions are judged by: sampled searches, measurements, judgements of people, and the gate."""
