"""Routes of the invitee, opened by the token of a link or a booking."""
