import TestSupport
import Testing

@Suite struct GoldenTests {
  @Test func differencesShowThreeLinesOfContext() {
    let old = (1...20).map(String.init).joined(separator: "\n")
    let new = old.replacing("\n5\n", with: "\nfive\n").replacing("\n20", with: "\n20\n21")
    let expected = [
      "@@", " 2", " 3", " 4", "-5", "+five", " 6", " 7", " 8", "@@", " 18", " 19", " 20", "+21",
    ]
    #expect(LineDifference(from: old, to: new).unified == expected.joined(separator: "\n"))
    #expect(LineDifference(from: old, to: old).unified.isEmpty)
  }
}
