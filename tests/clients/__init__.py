"""Run the main job with clients that independent tools generate from the API description."""
