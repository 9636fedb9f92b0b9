// Sources of Execution follow.
