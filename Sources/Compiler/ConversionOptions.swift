public import GraphIR
import Passes
import Tensors

/// How a model is converted. Names and defaults are those of the command line.
public struct ConversionOptions: Sendable {
  /// The format in which matrices are stored.
  public enum WeightFormat: String, CaseIterable, Sendable {
    /// The smallest format that reproduces the exported values, q8 where none does.
    case auto
    case f32, bf16, q8
    /// The numbers of q8, in nested planes.
    case q8n
    case q6, q5, q4

    var policy: QuantizeWeights.Policy {
      switch self {
      case .auto: .automatic
      case .f32: .format(.f32)
      case .bf16: .format(.bf16)
      case .q8: .format(.q8b32)
      case .q8n: .format(.q8n32)
      case .q6: .format(.q6b16)
      case .q5: .format(.q5b32)
      case .q4: .format(.q4b32)
      }
    }
  }

  /// The element type in which caches keep keys and values.
  public enum CacheFormat: String, CaseIterable, Sendable {
    /// As the model has it.
    case f32
    /// Half of that (``NarrowCaches``).
    case f16
  }

  /// How the logits are computed.
  public enum Head: String, CaseIterable, Sendable {
    /// All of them.
    case dense
    /// Those of candidates that a predictor finds (``HireSoftmax``).
    case hire
  }

  /// How feed-forward blocks are computed.
  public enum FeedForward: String, CaseIterable, Sendable {
    /// All neurons.
    case dense
    /// Those that matter, where tokens are generated (``HireFeedForward``).
    case hire
  }

  /// What holds of text that is drawn from candidates alone.
  public enum Exactness: String, CaseIterable, Sendable {
    /// What the measured recall says.
    case none
    /// It is what all logits give: they are computed, or bounded, later, for many tokens at once.
    case deferred
    /// It is what all logits give: bounds prove it token by token, from high nibbles or a smaller copy of the head.
    case certified
  }

  /// The exported model: an ONNX file, or a stage that an earlier conversion dumped (`.ir`).
  public var model: String
  /// The plan to write; nil stops before planning.
  public var output: String?
  /// The tokenizer; nil takes `tokenizer.json` beside the model, if there is one.
  public var tokenizer: String?
  /// Positions that a cache can hold; nil takes what the model says.
  public var maxContext: Int?
  public var weights = WeightFormat.auto
  public var kvCache = CacheFormat.f32
  public var head = Head.dense
  /// Tokens whose recall a HiRE head answers for.
  public var headK = 64
  /// The share of them that it must find.
  public var recall = 0.999
  /// Whether the summary tells what other kinds of predictors would find.
  public var comparesPredictors = false
  public var exact = Exactness.none
  public var feedForward = FeedForward.dense
  /// The share of active groups of neurons that a predictor must find.
  public var feedForwardRecall = 0.99
  /// The share of neurons that blocks keep which were not trained with groups; nil leaves these dense.
  public var feedForwardKeep: Double?
  /// The exported small model that drafts for this one, reading its hidden states (``SplitTandem``).
  public var tandem: String?
  /// Whether drafters are made of the model itself, and the best of them is found by trial (``DerivedTrial``).
  public var derivesDrafter = false
  /// How far the logits may be moved by blocks that were not trained with groups: mean KL in nats; nil leaves these
  /// dense.
  public var feedForwardBudget: Double?
  /// A text to calibrate with; nil lets the model write some.
  public var calibration: String?
  /// Passes less faithful than this are left out.
  public var allow = Fidelity.statistical
  /// Folder for the text of every stage.
  public var dumpStages: String?
  /// The text form of the pipeline to run in place of the standard one.
  public var passes: String?
  /// The last stage to run: `import` or the name of a pass; the second run of a pass has `.2` behind its
  /// name.
  public var stopAfter: String?
  /// Rules change nothing after the patch of this number; to find the patch that changes results.
  public var patchLimit: Int?
  /// The stage whose text is handed to ``Conversion/printed``; ``printChanged`` for every pass that changes
  /// something.
  public var printAfter: String?
  /// Passes to leave out.
  public var disable: [String] = []

  public init(model: String) { self.model = model }
}
