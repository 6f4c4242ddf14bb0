"""Clients that other people's generators make from the API's description, doing the main job."""
