"""Lands everything in Delta; summaries, models, suggestions, verification, reports."""
