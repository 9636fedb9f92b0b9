/// Cases that are legal ONNX and refused here, with the reason. One that passes must leave the list.
enum KnownGaps {
  static let reasons: [String: String] = {
    var reasons: [String: String] = [:]
    for name in runTimeAxes {
      reasons["test_\(name)"] = "the axes are computed at run time, accepted are constants"
    }
    for name in scalarAxes { reasons["test_\(name)"] = "the axes are a scalar, accepted is a vector" }
    return reasons
  }()

  private static let runTimeAxes = [
    "constant_pad_axes", "constant_pad_negative_axes", "slice", "slice_neg", "slice_start_out_of_bounds",
    "slice_end_out_of_bounds", "slice_default_steps", "slice_neg_steps", "slice_negative_axes", "squeeze",
    "squeeze_negative_axes", "unsqueeze_axis_0", "unsqueeze_axis_1", "unsqueeze_axis_2", "unsqueeze_two_axes",
    "unsqueeze_three_axes", "unsqueeze_unsorted_axes", "unsqueeze_negative_axes",
  ]

  private static let scalarAxes = [
    "affine_grid_2d_expanded", "affine_grid_2d_align_corners_expanded", "affine_grid_3d_expanded",
  ]
}
