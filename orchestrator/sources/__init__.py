"""Configuration sources beyond the file: HTTP(S) and GitLab, fetched when an order is submitted (decision 0162)."""
