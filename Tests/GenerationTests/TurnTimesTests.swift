import Testing

@testable import Generation

@Suite struct TurnTimesTests {
  @Test func aBusyMomentLeavesMediansAsTheyAre() {
    var times = TurnTimes(3)
    for turn in 0..<7 {
      // The machine is busy for all of one turn, and for one thing in two others.
      for index in 0..<3 {
        let isBusy = turn == 2 || index == 1 && (turn == 3 || turn == 6)
        times.note(Double(index + 1) * (isBusy ? 100 : 1), of: index)
      }
    }
    #expect(times.medians == [1, 2, 3])
  }

  @Test func mediansOfFewTurns() {
    var times = TurnTimes(2)
    for (index, seconds) in [(0, 4.0), (0, 2), (1, 5)] { times.note(seconds, of: index) }
    #expect(times.medians == [3, 5])
  }
}
