/// The number of a token, which indexes the rows of a model's embedding.
public typealias TokenID = Int32
