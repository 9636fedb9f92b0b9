public import ArgumentParser
public import Generation
import PlanFormat

extension HeadMode.Kind: ExpressibleByArgument {}
extension HeadMode.Exactness: ExpressibleByArgument {}

/// Options that say which head generates, and what is done about its misses.
struct HeadArguments: ParsableArguments {
  @Option(
    help: "Draw from the logits of the whole vocabulary, or from HiRE candidates; by default as converted.")
  var head: HeadMode.Kind?

  @Option(
    help: """
      Of a HiRE head: have the dense head verify what was drawn (deferred), prove it token by token by bounds \
      (certified, where converted for that), or neither; by default as converted.
      """)
  var exact: HeadMode.Exactness?

  func validate() throws {
    if head == .dense, let exact {
      throw ValidationError("--exact is '\(exact)', which is for --head hire; the dense head misses nothing")
    }
  }

  func mode(of plan: PlanFile) throws -> HeadMode {
    try HeadMode(plan, kind: head, exactness: exact)
  }
}
