import Kernels
import Tensors

/// The largest of each window of w numbers, then the best of these: a choice that costs less than one among all
/// numbers, and loses what shares a window with something larger.
///
/// The members of a window lie a share of the count apart, which is as good as side by side for rows in no order, and
/// makes the maxima those of whole vectors.
struct WindowSelection {
  let window: Int
  private let maxima: UnsafeMutablePointer<Float>
  private typealias Lanes = SIMD16<Float>

  /// - Parameter maxima: room for as many numbers as there are windows.
  init(window: Int, maxima: UnsafeMutablePointer<Float>) {
    (self.window, self.maxima) = (window, maxima)
  }

  /// Writes the places of `selected` numbers, at most as many as there are windows; numbers past the last whole
  /// window are left out.
  func select(
    _ numbers: UnsafePointer<Float>, _ count: Int, _ selected: Int, _ places: UnsafeMutablePointer<UInt32>,
    by select: FormComparison.Select
  ) {
    let windows = count / window
    maxima.update(from: numbers, count: windows)
    let (from, to) = (UnsafeRawPointer(numbers), UnsafeMutableRawPointer(maxima))
    for member in 1..<window {
      var index = 0
      while index + Lanes.scalarCount <= windows {
        let a = to.loadUnaligned(fromByteOffset: index * 4, as: Lanes.self)
        let b = from.loadUnaligned(fromByteOffset: (member * windows + index) * 4, as: Lanes.self)
        to.storeBytes(of: a.replacing(with: b, where: b .> a), toByteOffset: index * 4, as: Lanes.self)
        index += Lanes.scalarCount
      }
      while index < windows {
        maxima[index] = max(maxima[index], numbers[member * windows + index])
        index += 1
      }
    }
    select(windows, maxima, selected, places)
    for index in 0..<selected {
      var place = Int(places[index])
      let maximum = maxima[place]
      while numbers[place] != maximum { place += windows }
      places[index] = UInt32(place)
    }
  }
}

extension FormComparison {
  /// A row per window: microseconds that selecting the survivors takes of a token, and what is among them.
  func selections(_ form: HireForm) -> [String] {
    let (vocabulary, count) = (weights.shape[0], min(32, ranks.count))
    let scores = scanScores(form, count)
    var places = [Int32](repeating: 0, count: vocabulary)
    for (place, id) in predictor.rowIDs.array(of: Int32.self).enumerated() { places[Int(id)] = Int32(place) }
    var lines = ["selections of \(form.survivors) of \(form.shardRows) by the scan: microseconds, recall"]
    let maxima = UnsafeMutablePointer<Float>.allocate(capacity: form.shardRows)
    defer { maxima.deallocate() }
    for window in [1, 2, 4, 8] {
      let selection = WindowSelection(window: window, maxima: maxima)
      var seconds: [Double] = []
      var (top, all) = (RunningMean(), RunningMean())
      for state in 0..<count {
        let row = Array(scores[(state * vocabulary)..<((state + 1) * vocabulary)])
        var survivors = Set<Int32>()
        var chosen = [UInt32](repeating: 0, count: form.survivors)
        var spent = 0.0
        row.withUnsafeBufferPointer { row in
          for first in stride(from: 0, to: vocabulary, by: form.shardRows) {
            let rows = min(form.shardRows, vocabulary - first)
            let kept = min(form.survivors, rows / window)
            let start = ContinuousClock.now
            if window == 1 {
              select(rows, row.baseAddress! + first, kept, &chosen)
            } else {
              selection.select(row.baseAddress! + first, rows, kept, &chosen, by: select)
            }
            spent += (ContinuousClock.now - start) / .seconds(1)
            survivors.formUnion(chosen[..<kept].map { Int32(first) + Int32($0) })
          }
        }
        seconds.append(spent / Double(pool.threadCount))
        let best = ranks.tokens[(state * ranks.k)..<((state + 1) * ranks.k)]
        top.add(survivors.contains(places[Int(best.first!)]) ? 1 : 0)
        all.add(Double(best.count { survivors.contains(places[Int($0)]) }) / Double(ranks.k))
      }
      lines.append(
        "  \(window == 1 ? "all rows" : "the largest of each \(window)"):"
          + " \(Int(seconds.sorted()[seconds.count / 2] * 1e6)) us, \(HireSoftmax.rounded(top.mean))"
          + "/\(HireSoftmax.rounded(all.mean))")
    }
    return lines
  }

  /// The scores of the scan, predictor rows in order, for some states.
  private func scanScores(_ form: HireForm, _ count: Int) -> [Float] {
    let (vocabulary, rank, width) = (weights.shape[0], form.scan.rank, weights.shape[1])
    guard case .scan(let bits) = form.scan.coding, let panels = ScanPanels(rank: rank, bits: bits) else {
      preconditionFailure("the first stage is a scan")
    }
    let (z, rows) = (Tensor(.f32, [count, rank]), Tensor(.f32, [vocabulary, rank]))
    func numbers(_ tensor: Tensor) -> UnsafeMutablePointer<Float> {
      tensor.base.assumingMemoryBound(to: Float.self)
    }
    nonisolated(unsafe) let (decoded, codes) = (numbers(rows), predictor.scan.base)
    pool.forEach(vocabulary) { panels.decode(codes, row: $0, into: decoded + $0 * rank) }
    LinearProduct(
      rows: count, inner: width, columns: rank, x: numbers(judged), w: numbers(predictor.projection),
      y: numbers(z)
    ).run(pool)
    for state in 0..<count { form.scan.roundCoordinates(numbers(z) + state * rank) }
    let scores = Tensor(.f32, [count, vocabulary])
    LinearProduct(
      rows: count, inner: rank, columns: vocabulary, x: numbers(z), w: numbers(rows), y: numbers(scores)
    ).run(pool)
    return withExtendedLifetime((z, rows)) { scores.array(of: Float.self) }
  }
}
