"""Measures of what a translator has learnt."""
