"""Clients generated from the API description by independent generators, which run the main job."""
