// Sources of Reports follow.
