// Sources of Generation follow.
