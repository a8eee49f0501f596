"""Advisors: what may propose a better form of a snippet. Nothing they say is believed before it was measured."""
