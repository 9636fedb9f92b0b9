import Foundation
import Testing

/// Feed-forward blocks of chosen neurons from conversion to evaluation.
@Suite struct SparseBlockTests {
  private func convert(_ model: String, _ name: String, _ options: [String]) throws -> (
    path: String, card: [String: Any]
  ) {
    let path = Scratch.path(name)
    let outcome = try Program.run(
      ["convert", model, "-o", path, "--max-context", "512", "--tokenizer", SmallModel.tokenizer, "--json"]
        + options)
    guard outcome.status == 0 else { throw SmallModel.Failure(message: outcome.error) }
    return (path, try #require(try json(outcome.output)["card"] as? [String: Any]))
  }

  private func json(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  /// Some text of this repository.
  private static let text = {
    let readme = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "README.md")
    return Scratch.file(
      "text.txt", Data(((try? String(contentsOf: readme, encoding: .utf8)) ?? "").prefix(8_000).utf8))
  }()

  @Test func trainedGroupsAreCountedBlockByBlock() throws {
    let (plan, _) = try convert(
      SmallModel.onnx, "sparse.plan", ["--ffn", "hire", "--calibration", Self.text])
    let arguments = ["eval", plan, "--text", Self.text, "--tokens", "70", "--rows", "8"]
    let report = try json(try Program.run(arguments + ["--json", "--against", plan]).output)
    let blocks = try #require(report["blocks"] as? [[String: Any]])
    #expect(blocks.count == 4)
    for block in blocks {
      let density = try #require(block["density"] as? [String: Any])
      let candidates = try #require(density["candidates"] as? Double)
      let active = try #require(density["active"] as? Double)
      let union = try #require((density["union"] as? [String: Double])?["8"])
      #expect(block["neurons"] as? Int == 1536)
      #expect(active > 0.02 && active <= 0.125 && candidates > active && candidates < 0.4)
      #expect(union > active && union < 8 * active)
      #expect(try #require(density["recall"] as? Double) > 0.97)
      let bytes = try #require(block["bytes"] as? Int)
      #expect(try Double(bytes) < 0.45 * #require(block["dense_bytes"] as? Double))
      #expect(try #require(block["read_bytes"] as? Int) < bytes)
    }
    let text = try Program.run(arguments)
    #expect(
      text.status == 0
        && text.output.contains("block  candidates   active   recall   MB read at most   of all"))
    #expect(text.output.contains("union 8"))
  }

  /// The small model with other blocks than it was trained with, as a stage of its conversion.
  ///
  /// - Parameters:
  ///   - name: of the folder for it.
  ///   - bias: added to all products with up.
  private func smallModel(_ name: String, blocks: String, bias: Float? = nil) throws -> String {
    let (folder, stage) = (Scratch.path(name), "fuse-feed-forward")
    let dumped = try Program.run([
      "convert", SmallModel.onnx, "--dump-stages", folder, "--stop-after", stage, "--max-context", "512",
    ])
    #expect(dumped.status == 0, "\(dumped.error)")
    let file = try #require(
      try FileManager.default.contentsOfDirectory(atPath: folder).first { $0.hasSuffix("\(stage).ir") })
    let path = "\(folder)/\(file)"
    let ir = try String(contentsOfFile: path, encoding: .utf8)
    let trained = #"{activation = "relu_squared", active_groups = 24, group_size = 8}"#
    #expect(ir.components(separatedBy: trained).count == 5)
    var changed = ir.replacingOccurrences(of: trained, with: blocks)
    if let bias {
      let numbers = Array(repeating: "\(bias)", count: 1536).joined(separator: ", ")
      changed = changed.replacingOccurrences(of: ") \(blocks)", with: ", _, @bias) \(blocks)")
      let first = try #require(changed.range(of: "\nconst @"))
      changed.insert(contentsOf: "\nconst @bias: f32[1536] = [\(numbers)]", at: first.lowerBound)
    }
    try changed.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  /// With ReLU in the place of its groups: what bounds leave is told, and the model stays what it is.
  @Test func zerosAreProved() throws {
    let model = try smallModel("relu", blocks: #"{activation = "relu_squared"}"#, bias: -3)
    let options = ["--weights", "f32", "--allow", "rounding"]
    let dense = try convert(model, "relu-dense.plan", options).path
    let (plan, card) = try convert(
      model, "relu.plan", options + ["--calibration", Self.text, "--ffn", "hire", "--ffn-recall", "1"])
    let notes = try #require(card["notes"] as? [String])
    #expect(
      notes.contains { $0.hasPrefix("certified zeros: in 4 blocks bounds prove all but ") }, "\(notes)")
    #expect(notes.contains { $0.hasPrefix("HiRE FFN: 4 blocks read ") && $0.hasSuffix(", and miss nothing") })
    let report = try json(
      try Program.run(["eval", plan, "--text", Self.text, "--tokens", "64", "--against", dense, "--json"])
        .output)
    for block in try #require(report["blocks"] as? [[String: Any]]) {
      let density = try #require(block["density"] as? [String: Any])
      let candidates = try #require(density["candidates"] as? Double)
      let active = try #require(density["active"] as? Double)
      #expect(density["recall"] as? Double == 1)
      #expect(active > 0 && candidates > active && candidates < active + 0.15, "\(density)")
    }
    let divergence = try #require((report["mean_kl"] as? [String: Any])?["mean"] as? Double)
    #expect(divergence < 1e-6, "the same sums in another order")
  }

  /// The blocks of the small model as GELU has them, which nobody trained: what a budget leaves of them.
  @Test func aBudgetIsSpentOnBlocks() throws {
    let path = try smallModel("stages", blocks: #"{activation = "gelu"}"#)
    let options = ["--ffn", "hire", "--calibration", Self.text, "--ffn-budget"]
    let (plan, card) = try convert(path, "budget.plan", options + ["kl=0.05"])
    let notes = try #require(card["notes"] as? [String])
    #expect(notes.contains { $0.hasPrefix("HiRE FFN: ") && $0.contains(" nats on ") }, "\(notes)")
    let report = try json(
      try Program.run(["eval", plan, "--text", Self.text, "--tokens", "40", "--json"]).output)
    #expect(try #require(report["blocks"] as? [Any]).count >= 1)
  }
}
