import PlanFormat
import Tensors

/// Places temporaries: values that are never alive together may share a slot.
///
/// A slot is memory that grows to the largest value ever put in it; sizes are bound at run time, so what is decided
/// ahead is only who shares with whom.
///
/// 1. A value is alive from its step to the last step that reads it or any view of it; outputs stay alive.
/// 2. Steps are visited in order. A result takes a free slot whose values have the same symbolic size, else the
///    free slot nearest in size under nominal bindings and within a factor of two, else a new one.
///    The output of a state lies in the state's memory and takes none.
/// 3. Slots whose values die with a step become free after it: a kernel never writes over its own operands.
struct SlotAllocator {
  private let function: PlanFormat.Function
  /// Result to the operand whose memory it may share.
  private let aliases: [Int: Int]

  init(_ function: PlanFormat.Function, aliases: [Int: Int]) {
    self.function = function
    self.aliases = aliases
  }

  private struct Slot {
    var size: Dim
    var nominal: Int
  }

  func place(_ target: inout PlanFormat.Function) {
    let lastUse = lastUses()
    let states = Set(function.states.map(\.output))
    var dying: [Int: [Int]] = [:]
    for (value, step) in lastUse { dying[step, default: []].append(value) }
    var slots: [Slot] = []
    var free: [Int] = []
    var slotOf: [Int: Int] = [:]
    for (index, step) in function.steps.enumerated() {
      for result in step.results where result >= 0 {
        if states.contains(Int(result)) {
          target.values[Int(result)].place = .external
          continue
        }
        let slot = take(Int(result), &slots, &free)
        slotOf[Int(result)] = slot
        target.values[Int(result)].place = .slot(slot)
      }
      // A result that nobody reads dies at once.
      for value in (dying[index] ?? []).sorted() { if let slot = slotOf[value] { free.append(slot) } }
    }
    target.slotCount = slots.count
  }

  private func take(_ value: Int, _ slots: inout [Slot], _ free: inout [Int]) -> Int {
    let type = function.type(of: value)
    let size = type.elementCount * type.element.byteCount
    let nominal = nominalSize(type)
    func take(at position: Int) -> Int {
      let slot = free.remove(at: position)
      if nominal > slots[slot].nominal { slots[slot] = Slot(size: size, nominal: nominal) }
      return slot
    }
    if let position = free.lastIndex(where: { slots[$0].size == size }) { return take(at: position) }
    let candidates = free.indices.filter { position in
      let other = slots[free[position]].nominal
      return max(other, nominal) <= 2 * max(1, min(other, nominal))
    }
    let nearest = candidates.min { a, b in
      abs(slots[free[a]].nominal - nominal) < abs(slots[free[b]].nominal - nominal)
    }
    if let nearest { return take(at: nearest) }
    slots.append(Slot(size: size, nominal: nominal))
    return slots.count - 1
  }

  /// Bytes when every symbol has its largest value, and those without one are 16.
  private func nominalSize(_ type: TensorType) -> Int {
    let symbols = type.shape.reduce(into: Set<String>()) { $0.formUnion($1.symbols) }
    let binding = Dictionary(uniqueKeysWithValues: symbols.map { ($0, function.bounds[$0] ?? 16) })
    let count = max(0, type.elementCount.evaluated(binding) ?? 0)
    let (bytes, overflows) = count.multipliedReportingOverflow(by: type.element.byteCount)
    return overflows ? Int.max / 4 : min(bytes, Int.max / 4)
  }

  /// The step after which the memory of each value is free; values that stay alive are absent.
  private func lastUses() -> [Int: Int] {
    var lastUse: [Int: Int] = [:]
    for (index, step) in function.steps.enumerated() {
      for result in step.results where result >= 0 { lastUse[Int(result)] = index }
      for operand in step.operands where operand >= 0 { lastUse[Int(operand)] = index }
    }
    // A view keeps its operand's memory alive. Later values first, so that chains of views carry through.
    for (view, operand) in aliases.sorted(by: { $0.key > $1.key }) {
      if let use = lastUse[view] { lastUse[operand] = max(lastUse[operand] ?? use, use) }
    }
    var kept = Set(function.outputs.map(\.value))
    for value in kept {
      var root = value
      while let operand = aliases[root] {
        kept.insert(operand)
        root = operand
      }
    }
    for value in kept { lastUse[value] = nil }
    return lastUse
  }
}
