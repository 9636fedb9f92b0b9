import CKernels

extension ThreadPool {
  /// Processors that this process may run on: the thread count to use when nobody says otherwise.
  public static var processorCount: Int { Int(ck_processor_count()) }
}
