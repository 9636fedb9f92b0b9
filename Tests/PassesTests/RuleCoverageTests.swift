import Compiler
import Foundation
import GraphIR
import Operators
import Testing

/// Every rule, and every pass that is not made of rules, has a case in `Cases/` in which it changes something; what
/// can say why it leaves a node alone has one in which it does.
@Suite struct RuleCoverageTests {
  @Test func everyRuleFiresAndSaysWhyNot() throws {
    var (fired, missed): (Set<String>, Set<String>) = ([], [])
    for name in PassCase.names {
      let golden = try PassCase(name)
      var module = golden.module
      for record in try golden.passes.run(on: &module, operators: OperatorSet.standard) {
        let counts = record.statistics.filter { $0.value > 0 }
        fired.formUnion(counts.keys)
        if !counts.isEmpty { fired.insert(record.name) }
        missed.formUnion(record.misses.map { $0.rule ?? record.name })
      }
    }
    let withReasons = try Self.namesWithReasons()
    #expect(withReasons.count > 10, "the sources are not spelled as this test reads them")
    for pass in Pipeline.uncalibrated.passes {
      for name in (pass as? RewritePass)?.ruleNames ?? [pass.name] {
        // Some are there for the reason alone.
        #expect(
          fired.contains(name) || name.hasPrefix("report-"),
          "there is no case in which '\(name)' of '\(pass.name)' fires")
        guard withReasons.contains(name), !Self.refusing.contains(name) else { continue }
        #expect(missed.contains(name), "there is no case in which '\(name)' of '\(pass.name)' says why not")
      }
    }
  }

  /// Passes whose reasons end the conversion, since what they do was asked for; `TandemTests` has the reasons.
  private static let refusing: Set = ["split-tandem"]

  /// Rules and passes in whose declaration a reason is given: `Miss("...")`, `context.miss(...)`, or a call of
  /// something that throws one.
  private static func namesWithReasons() throws -> Set<String> {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Sources/Passes")
    let files = try #require(FileManager.default.enumerator(atPath: folder.path)).compactMap { $0 as? String }
    let sources = try files.filter { $0.hasSuffix(".swift") }.map {
      try String(contentsOf: folder.appending(path: $0), encoding: .utf8)
    }
    var throwing: Set<Substring> = ["requireSingleUse"]
    for source in sources {
      for found in source.matches(of: /func (\w+)\([^{]*throws\(Miss\)/) where found.1 != "match" {
        throwing.insert(found.1)
      }
    }
    var names: Set<String> = []
    let starts = #/\n(?:public |private )?(?:struct|enum|extension) /#
    for declaration in sources.flatMap({ $0.split(separator: starts) }) {
      guard let name = declaration.firstMatch(of: /\n  (?:public )?let name = "([^"]+)"/)?.1 else { continue }
      let calls = declaration.matches(of: /try (?:\w+\.)?(\w+)\(/).map { $0.1 }
      if declaration.contains("Miss(\"") || declaration.contains("miss(")
        || calls.contains(where: throwing.contains)
      {
        names.insert(String(name))
      }
    }
    return names
  }
}
