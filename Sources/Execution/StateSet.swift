import PlanFormat
import Tensors

/// The caches that the functions of a plan share: one per input name, kept between runs.
public final class StateSet {
  /// A cache as the functions declare it.
  struct Form: Equatable {
    let name: String
    let element: ElementType
    /// The axis along which every run appends.
    let axis: Int

    init(_ state: Function.State, in function: Function) {
      name = function.values[state.input].name
      element = function.type(of: state.input).element
      axis = state.axis
    }
  }

  let forms: [Form]
  /// Empty until there is memory for them, else one per form.
  var memories: [StateMemory] = []

  /// The caches of a function, without memory yet.
  init(of function: Function) { forms = function.states.map { Form($0, in: function) } }

  /// Positions filled.
  public var length: Int { memories.isEmpty ? 0 : memories[0].length }

  public var byteCount: Int { memories.reduce(0) { $0 + $1.storage.byteCount } }

  /// Forgets all positions from `length` on.
  public func truncate(to length: Int) {
    for index in memories.indices { memories[index].length = min(memories[index].length, length) }
  }

  /// The places of a function's caches.
  ///
  /// - Parameter isPartial: whether the function may leave some of the set as they are.
  /// - Throws: ``ExecutionError`` when the function has other caches than the set.
  func places(of function: Function, isPartial: Bool) throws(ExecutionError) -> [Int] {
    var places: [Int] = []
    for state in function.states {
      let form = Form(state, in: function)
      guard let place = forms.firstIndex(of: form) else {
        throw .foreignState(form.name, function.name)
      }
      places.append(place)
    }
    guard isPartial || Set(places).count == forms.count else {
      throw .stateCount(function.name, found: places.count, accepted: forms.count)
    }
    return places
  }
}
