/// Everything of a tokenizer but its vocabulary, merges and added tokens: read once at load.
struct Pipeline: Sendable {
  var normalizers: [Normalizer] = []
  var preTokenizers: [PreTokenizer] = []
  var decoders: [DecoderStep] = []
  var postProcessor = PostProcessor()
  var mergeOptions = MergeOptions()
  /// What decodes in place of a token's own text: the normalized form of an added token that is matched in
  /// it.
  var decodedForms: [TokenID: [UInt8]] = [:]

  init() {}

  func write(to writer: inout ByteWriter) {
    writer.write(UInt32(normalizers.count))
    for step in normalizers { step.write(to: &writer) }
    writer.write(UInt32(preTokenizers.count))
    for step in preTokenizers { step.write(to: &writer) }
    writer.write(UInt32(decoders.count))
    for step in decoders { step.write(to: &writer) }
    writer.write(postProcessor.prefix)
    writer.write(postProcessor.suffix)
    mergeOptions.write(to: &writer)
    writer.write(UInt32(decodedForms.count))
    for (id, text) in decodedForms.sorted(by: { $0.key < $1.key }) {
      writer.write(id)
      writer.write(text)
    }
  }

  init(from reader: inout ByteReader) throws(TokenizationError) {
    normalizers = try reader.readList(Normalizer.init(from:))
    preTokenizers = try reader.readList(PreTokenizer.init(from:))
    decoders = try reader.readList(DecoderStep.init(from:))
    postProcessor.prefix = try reader.readIDs()
    postProcessor.suffix = try reader.readIDs()
    mergeOptions = try MergeOptions(from: &reader)
    let forms = try reader.readList(limit: .max) { reader throws(TokenizationError) in
      (try reader.read(TokenID.self), try reader.readBytes())
    }
    decodedForms = Dictionary(forms) { $1 }
  }

  /// The text that the normalizers make of `text`.
  func normalized(_ text: [UInt8]) -> [UInt8] { normalizers.reduce(text) { $1.apply(to: $0) } }

  /// Every token id named here.
  var tokenIDs: [TokenID] { postProcessor.prefix + postProcessor.suffix + mergeOptions.tokenIDs }
}
