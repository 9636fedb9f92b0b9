// Sources of Tokenization follow.
