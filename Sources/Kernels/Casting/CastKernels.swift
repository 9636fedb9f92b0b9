import Tensors

enum CastKernels {
  static let entries: [KernelEntry] = [
    KernelEntry("cast", sharing: .views(of: 0)) { attributes throws(KernelError) in
      guard let element = attributes.element("to") else { throw .invalid("attribute 'to' is missing") }
      return CastKernel(element: element, rounding: try Conversion.Rounding(attributes))
    },
    KernelEntry("cast_like", sharing: .views(of: 0)) { attributes throws(KernelError) in
      CastKernel(element: nil, rounding: try Conversion.Rounding(attributes))
    },
    KernelEntry("bit_cast", sharing: .views(of: 0)) { attributes throws(KernelError) in
      guard let element = attributes.element("to") else { throw .invalid("attribute 'to' is missing") }
      return BitCastKernel(element: element)
    },
  ]
}

/// Converts elements to `element`, or to the element type of operand 1. A cast to the same type is a view.
struct CastKernel: Kernel {
  let element: ElementType?
  let rounding: Conversion.Rounding

  func run(_ call: KernelCall) throws(KernelError) {
    let x = call[0]
    let element = element ?? call[1].element
    if element == x.element { return call.alias(0, x) }
    let y = call.allocate(0, element, x.shape)
    Conversion.run(from: x, to: y, rounding)
  }
}

/// The same bits read as another element type of equal width: a view.
struct BitCastKernel: Kernel {
  let element: ElementType

  func run(_ call: KernelCall) throws(KernelError) {
    var x = call[0]
    guard x.element.packedBitCount == element.packedBitCount else {
      throw .invalid("\(x.element) and \(element) have different widths")
    }
    if x.element.byteCount == element.byteCount, element.packedBitCount >= 8 {
      x.element = element
      return call.alias(0, x)
    }
    let y = call.allocate(0, element, x.shape)
    let source = call.contiguous(0)
    for index in 0..<x.elementCount {
      let bits = source.base.load(fromByteOffset: index, as: UInt8.self)
      if element.isInteger {
        NumberCoding.store(integer: Int64(bits), y.base, element, index)
      } else {
        y.base.storeBytes(
          of: bits & UInt8((1 << element.packedBitCount) - 1), toByteOffset: index, as: UInt8.self)
      }
    }
  }
}
