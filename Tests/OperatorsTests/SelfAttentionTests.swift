import Kernels
import Tensors
import Testing

/// The self-attention kernel against the operator's decomposition.
@Suite struct SelfAttentionTests {
  static let cases = SelfAttentionCase.forms.flatMap { form in
    [1, 2, 5, 16, 17, 40].flatMap { rows in
      [nil, 0, 3, 30].map { SelfAttentionCase(form: form, rows: rows, past: $0) }
    }
  }

  @Test(arguments: cases)
  func agreesWithTheDecomposition(_ sample: SelfAttentionCase) throws {
    let expected = try sample.expected()
    let caches = sample.caches(capacity: 75)
    let run = try sample.run(sample.operands, caches, threads: 2)
    for result in 0..<3 {
      let (actual, expected) = (run.tensor(result), try #require(expected[result]))
      #expect(actual.type == expected.type)
      let worst = zip(actual.doubles, expected.doubles).map { abs($0 - $1) }.max() ?? 0
      // A last place of f32 may turn over how an entry is rounded to f16.
      let most = sample.form.cache == .f16 ? 0x1p-10 : 2e-5
      #expect(worst < most && !actual.doubles.contains { $0.isNaN }, "result \(result)")
    }
    if let caches {
      let count = try #require(expected[1]).elementCount
      #expect(caches.0.filledCount == count && caches.1.filledCount == count, "nothing behind the end")
    }
  }

  /// A row has the same bits alone, among others, and whatever the number of threads.
  @Test(arguments: SelfAttentionCase.forms.filter { $0.attributes["is_causal"] == nil })
  func bitsDependOnNeitherRowsNorThreads(_ form: SelfAttentionCase.Form) throws {
    let sample = SelfAttentionCase(form: form, rows: 40, past: 30)
    let whole = try sample.run(sample.operands, sample.caches(capacity: 70)).tensor(0)
    for threads in 2...4 {
      let other = try sample.run(sample.operands, sample.caches(capacity: 70), threads: threads)
      #expect(other.tensor(0).bits == whole.bits)
    }
    let caches = sample.caches(capacity: 70)
    var first = 0
    for count in [1, 1, 5, 16, 2, 15] {
      let rows = first..<first + count
      let part = try sample.run(sample.operands(rows: rows), caches, threads: 2).tensor(0)
      #expect(part.bits == whole.positions(rows, axis: 1).bits, "rows \(rows)")
      first = rows.upperBound
    }
    #expect(first == 40)
  }

  /// Keys enough for threads to share a tile.
  @Test(arguments: [1, 3])
  func sharedTilesHaveTheSameBits(_ rows: Int) throws {
    let form = SelfAttentionCase.Form(
      name: "long past", groups: 1, size: 72, attributes: ["window": .int(1201)])
    let sample = SelfAttentionCase(form: form, rows: rows, past: 1200)
    let alone = try sample.run(sample.operands, sample.caches(capacity: 1300)).tensor(0)
    let shared = try sample.run(sample.operands, sample.caches(capacity: 1300), threads: 4).tensor(0)
    #expect(alone.bits == shared.bits)
    let expected = try #require(try sample.expected()[0])
    for (a, b) in zip(shared.doubles, expected.doubles) { #expect(abs(a - b) < 2e-5) }
  }

  /// What the caches take is what attention sees: at once, and when it is read again.
  @Test func newEntriesAreRoundedAndSaturateInF16() throws {
    let form = SelfAttentionCase.Form(name: "f16", heads: 1, groups: 1, size: 2, cache: .f16)
    let sample = SelfAttentionCase(form: form, rows: 1, past: 0)
    let caches = try #require(sample.caches(capacity: 2))
    var operands = sample.operands
    // 1 + 2^-11 lies half-way between two numbers, the lower one of which is even.
    operands[0] = Tensor(f32: [0, 0, 1e6, -.infinity, 1 + 0x1p-11, 70_000], [1, 1, 6])
    let run = try sample.run(operands, caches)
    #expect(run.tensor(1).doubles == [65504, -65504])
    #expect(run.tensor(2).doubles == [1, 65504])
    #expect(run.tensor(0).doubles == [1, 65504])
    operands[0] = Tensor(f32: [0, 0, 1e6, -.infinity, 1 + 3 * 0x1p-11, -70_000], [1, 1, 6])
    #expect(try sample.run(operands, caches).tensor(0).doubles == [1 + 0x1p-10, 0])
  }

  // MARK: Errors

  private func message(
    _ change: (inout [Tensor?]) -> Void, capacity: Int = 20,
    form: SelfAttentionCase.Form = .init(
      name: "errors", hasNorms: true, half: 4, hasPositions: true, maskElement: .i64, hasSlopes: true)
  ) -> String {
    let sample = SelfAttentionCase(form: form, rows: 4, past: 3)
    var operands = sample.operands
    change(&operands)
    let caches = (
      CacheBuffer(operands[1]!, capacity: capacity), CacheBuffer(operands[2]!, capacity: capacity)
    )
    do {
      _ = try sample.run(operands, caches)
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test func whatDoesNotFitIsRefused() {
    #expect(message({ _ in }) == "no error")
    #expect(message({ _ in }, capacity: 6) == "the cache holds 6 positions, 7 are needed")
    #expect(message { $0[7] = Tensor(i64: [0, 1, 90, 2], [1, 4]) }.contains("position 90 is beyond"))
    #expect(message { $0[7] = Tensor(i64: [0, 1, -1, 2], [1, 4]) }.contains("position -1 is beyond"))
    #expect(message { $0[7] = Tensor(i64: [0, 1], [1, 2]) }.contains("position ids are [1, 2]"))
    #expect(message { $0[8] = Tensor(i64: [1, 1, 1, 1], [1, 4]) }.contains("accepted is [1, 7]"))
    #expect(message { $0[8] = noise([1, 7], seed: 1) }.contains("accepted are bool, i64 and i32"))
    #expect(message { $0[9] = noise([3], seed: 1) }.contains("accepted is f32[4]"))
    #expect(message { $0[3] = noise([3], seed: 1) }.contains("accepted is f32[8]"))
    #expect(message { $0[0] = noise([1, 4, 63], seed: 1) }.contains("accepted is [B, S, 8 * d]"))
    #expect(message { $0[2] = noise([1, 2, 2, 8], seed: 1) }.contains("accepted is f32[1, 2, 3, 8]"))
    #expect(message { $0[5] = noise([90, 5], seed: 1) }.contains("accepted are equal tables"))
    #expect(
      message({
        $0[5] = noise([6, 4], seed: 1); $0[6] = $0[5]; $0[7] = nil
      }).contains("position 6 is beyond"))
    #expect(message { $0[5] = Tensor(.f16, [90, 4]) }.contains("accepted are f32"))
    #expect(message { $0[1] = $0[1]!.converted(to: .bf16) }.contains("accepted are f32 and f16"))
    #expect(message { $0[2] = $0[2]!.converted(to: .f16) }.contains("accepted is f32[1, 2, 3, 8]"))
  }
}
