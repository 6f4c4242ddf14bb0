"""The invitee's routes. The token of a link or a booking in the URL is the only credential."""
