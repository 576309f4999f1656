"""Measured subjects, judged as ratios against a baseline in the same run."""
