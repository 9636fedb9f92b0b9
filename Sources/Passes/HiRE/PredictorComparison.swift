import GraphIR
import Kernels
import Tensors

/// Predictors of one stage side by side, by what they read and find.
///
///     data-aware    the basis that was fitted (``HeadBasis``)
///     plain         singular vectors of the weights: the same basis for states that are alike in all directions
///     random        a random orthogonal matrix
///     copy          all coordinates as they are: the weights in four bits (HiRE-Q)
///     plane         the same without memory of its own: the high nibbles of weights in 8 bits
struct PredictorComparison {
  /// The weights, f32 [V, K], with their bias.
  let weights: Tensor, bias: Tensor?
  let fitted: HeadBasis
  /// f32 [N, K], states that nothing was fitted to.
  let judged: Tensor
  let pool: ThreadPool

  private static let found = [1, 10, 64]
  private static let kept = [256, 1024, 4096]

  /// A row per predictor: bytes of its rows, then the share of the top 1, 10 and 64 among its best 256, 1024
  /// and 4096.
  func table() throws(Miss) -> [String] {
    let width = weights.shape[1]
    let lowRanks = Set([64, (width / 4 + 31) / 32 * 32]).filter { $0 < width }.sorted()
    let blocks = lowRanks.map { PredictorTrial(rank: $0, coding: .rows(.q8b32)) }
    let scans = [64, 128].filter { $0 < width }.map { PredictorTrial(rank: $0, coding: .scan(bits: 4)) }
    var lines = [
      "predictors of one stage on \(judged.shape[0]) held-out states: MB, recall of top"
        + " \(Self.joined(Self.found)) among the best \(Self.joined(Self.kept))"
    ]
    lines += rows(of: "random projection", try Self.random(width), blocks)
    lines += rows(
      of: "plain SVD", try HeadBasis(covariance: Self.unit(width), weights: weights, pool: pool), blocks)
    lines += rows(of: "data-aware low rank", fitted, blocks + scans)
    let copy = PredictorTrial(rank: width, coding: .rows(.q4b32))
    let unit = HeadBasis(orthogonal: Self.unit(width), width: width)
    lines += rows(of: "copy of the head", unit, [copy])
    lines += rows(of: "plane of the head", unit, [PredictorTrial(rank: width, coding: .plane)])
    return lines
  }

  private func rows(of name: String, _ basis: HeadBasis, _ trials: [PredictorTrial]) -> [String] {
    let ranks = PredictorRanks(judged, weights, bias: bias, k: Self.found.max()!, basis: basis, pool: pool)
    return trials.map { trial in
      let places = ranks.ranks(trial)
      let recalls = Self.kept.map { kept in
        let shares = Self.found.map { found in
          var sum = 0
          for state in 0..<ranks.count {
            sum += places[(state * ranks.k)..<(state * ranks.k + min(found, ranks.k))].count { $0 < kept }
          }
          return Double(sum) / Double(ranks.count * min(found, ranks.k))
        }
        return Self.joined(shares.map { ($0 * 1000).rounded() / 1000 })
      }
      let megabytes = (Double(weights.shape[0] * trial.rowBytes) / 1e5).rounded() / 10
      return "  \(name), \(trial): \(megabytes) MB, \(recalls.joined(separator: ", "))"
    }
  }

  private static func joined<Number>(_ numbers: [Number]) -> String {
    numbers.map { "\($0)" }.joined(separator: "/")
  }

  static func unit(_ n: Int) -> [Double] { (0..<(n * n)).map { $0 / n == $0 % n ? 1 : 0 } }

  /// Eigenvectors of a symmetric matrix of random numbers, which have no preferred direction.
  private static func random(_ n: Int) throws(Miss) -> HeadBasis {
    var (state, matrix) = (UInt64(1), [Double](repeating: 0, count: n * n))
    for row in 0..<n {
      for column in 0...row {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let number = Double(state >> 11) / Double(1 << 52) - 1
        (matrix[row * n + column], matrix[column * n + row]) = (number, number)
      }
    }
    let factorizations = try HeadBasis.factorizations()
    do throws(DenseFactorizations.Failure) {
      return HeadBasis(orthogonal: try factorizations.eigen(symmetric: matrix, n).vectors, width: n)
    } catch {
      throw Miss("there is no random basis: \(error)")
    }
  }
}

extension PredictorTrial: CustomStringConvertible {
  var description: String {
    switch coding {
    case .scan(let bits): "rank \(rank) of \(bits) bits"
    case .rows(let format): "rank \(rank) of \(format)"
    case .plane: "high nibbles of q8n32"
    }
  }
}
