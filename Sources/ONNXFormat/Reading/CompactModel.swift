/// A model's bytes without its weights: what is left is small and can be unpacked by the C runtime.
///
/// 1. Walks the messages that can hold tensors, bounded in depth, and checks the length of every field.
/// 2. Copies fields as they are, except: `TensorProto.raw_data` becomes an index into ``rawData``, a list of ranges of
///    the original bytes; training information, devices and the documentation of nodes are dropped.
///
/// So raw weights are never copied, a model may exceed the 2 GB that the runtime can unpack, and the nesting that
/// the (recursive) runtime meets is limited.
struct CompactModel {
  /// Levels of messages. A control-flow body takes three; real models stay below 20.
  static let maximumDepth = 100
  /// The number of our own field `TensorProto.raw_data_index`.
  private static let rawDataIndexField = 100_000

  private(set) var bytes: [UInt8] = []
  private(set) var rawData: [Range<Int>] = []
  private let source: UnsafeRawBufferPointer

  /// - Throws: ``ONNXFormatError`` with the offset of the first byte that makes no sense.
  init(_ source: UnsafeRawBufferPointer) throws(ONNXFormatError) {
    self.source = source
    do throws(Failure) {
      bytes = try compact(.model, 0..<source.count, depth: 0)
    } catch {
      switch error {
      case .wire(.malformed(let offset)):
        throw ONNXFormatError(
          "is no ONNX model or is damaged: byte \(offset) of \(source.count) does not continue a protobuf message"
        )
      case .depth(let offset):
        throw ONNXFormatError(
          "messages are nested deeper than \(Self.maximumDepth) levels at byte \(offset); at most that is accepted"
        )
      }
    }
  }

  private enum Failure: Error {
    case wire(WireReader.Failure)
    case depth(offset: Int)
  }

  /// Messages that can hold tensors or themselves.
  private enum Kind {
    case model, graph, node, attribute, tensor, sparse, function
    case valueInfo, type, typeHolder

    enum Treatment {
      case copy, drop, rawData
      case descend(Kind)
    }

    func treatment(of field: Int) -> Treatment {
      switch (self, field) {
      case (.model, 7): .descend(.graph)
      case (.model, 25): .descend(.function)
      case (.model, 20), (.model, 26): .drop
      case (.graph, 1): .descend(.node)
      case (.graph, 5): .descend(.tensor)
      case (.graph, 15): .descend(.sparse)
      case (.graph, 11), (.graph, 12), (.graph, 13): .descend(.valueInfo)
      case (.function, 7): .descend(.node)
      case (.function, 11): .descend(.attribute)
      case (.function, 12): .descend(.valueInfo)
      case (.node, 5): .descend(.attribute)
      case (.node, 6), (.node, 10): .drop
      case (.attribute, 5), (.attribute, 10): .descend(.tensor)
      case (.attribute, 6), (.attribute, 11): .descend(.graph)
      case (.attribute, 22), (.attribute, 23): .descend(.sparse)
      case (.attribute, 14), (.attribute, 15): .descend(.type)
      case (.attribute, 13): .drop
      case (.sparse, 1), (.sparse, 2): .descend(.tensor)
      case (.tensor, 9): .rawData
      case (.tensor, CompactModel.rawDataIndexField), (.tensor, 12): .drop
      case (.valueInfo, 2): .descend(.type)
      case (.valueInfo, 3): .drop
      case (.type, 4), (.type, 5), (.type, 9): .descend(.typeHolder)
      // Sequence and Optional hold a type in field 1, Map in field 2; field 1 of Map is a plain number.
      case (.typeHolder, 1), (.typeHolder, 2): .descend(.type)
      default: .copy
      }
    }
  }

  private mutating func compact(_ kind: Kind, _ range: Range<Int>, depth: Int) throws(Failure) -> [UInt8] {
    guard depth < Self.maximumDepth else { throw .depth(offset: range.lowerBound) }
    var result: [UInt8] = []
    var reader = WireReader(source, range)
    while let field = try Self.next(&reader) {
      switch (kind.treatment(of: field.number), field.wireType) {
      case (.drop, _): continue
      case (.rawData, 2):
        Self.append(tag: Self.rawDataIndexField, wireType: 0, to: &result)
        Self.append(varint: UInt64(rawData.count), to: &result)
        rawData.append(field.body)
      case (.descend(let child), 2):
        let body = try compact(child, field.body, depth: depth + 1)
        Self.append(tag: field.number, wireType: 2, to: &result)
        Self.append(varint: UInt64(body.count), to: &result)
        result += body
      default: result += source[field.start..<field.body.upperBound]
      }
    }
    return result
  }

  private static func next(_ reader: inout WireReader) throws(Failure) -> WireReader.Field? {
    do throws(WireReader.Failure) { return try reader.next() } catch { throw .wire(error) }
  }

  private static func append(tag: Int, wireType: Int, to result: inout [UInt8]) {
    append(varint: UInt64(tag << 3 | wireType), to: &result)
  }

  private static func append(varint value: UInt64, to result: inout [UInt8]) {
    var value = value
    while value >= 0x80 {
      result.append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    result.append(UInt8(value))
  }
}
