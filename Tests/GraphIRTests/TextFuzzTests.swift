import GraphIR
import Tensors
import TestSupport
import Testing

@Suite struct TextFuzzTests {
  /// Mutated texts are refused with an error or make a module that prints; nothing else may happen.
  @Test(arguments: 0..<4) func mutatedTextsNeverCrash(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let modules = [
      try ToyModules.step(), try ToyModules.annotated(), try ToyModules.names(), ToyModules.wide(count: 3),
    ]
    let printed = modules[Int(seed) % modules.count].printed()
    let original = Array(printed.text.utf8)
    var survivors = 0
    for _ in 0..<400 {
      let text = String(decoding: mutate(original, &random), as: UTF8.self)
      guard let module = try? Module(parsing: text, operators: Toy.operators, blobs: printed.blobs) else {
        continue
      }
      survivors += 1
      let again = module.printed()
      let second = try Module(parsing: again.text, operators: Toy.operators, blobs: again.blobs)
      #expect(second.text == again.text, "seed \(seed)")
    }
    #expect(survivors > 0)
  }

  /// One to four edits: a byte changed, a range removed, repeated, or replaced by a token.
  private func mutate(_ original: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    let tokens = [
      "%", "@", "\"", "(", "]", "_", "-", "blob(0)", "nan", "f32[", "99999999999999999999", "`", "//", "\\",
    ]
    var bytes = original
    for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
      let start = Int.random(in: 0..<bytes.count, using: &random)
      let end = min(bytes.count, start + Int.random(in: 0...12, using: &random))
      switch Int.random(in: 0..<4, using: &random) {
      case 0: bytes[start] = UInt8.random(in: 0...255, using: &random)
      case 1: bytes.removeSubrange(start..<end)
      case 2: bytes.insert(contentsOf: bytes[start..<end], at: start)
      default: bytes.replaceSubrange(start..<end, with: Array(tokens.randomElement(using: &random)!.utf8))
      }
    }
    return bytes
  }
}
