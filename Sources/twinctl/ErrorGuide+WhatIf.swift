extension ErrorGuide {
  /// Why nobody can say what would have been.
  static let whatIf: [Entry] = [
    Entry(
      "counterfactual.gap",
      "The record has a gap within the stretch that is longer than any state of the model lasts.",
      "Ask about a stretch before or after it: --from, --to."),
    Entry(
      "counterfactual.no_path",
      "With its own calibration the model finds no way through this record: a number of a step would not be finite.",
      "Look at the model, and have it calibrated again."),
    Entry(
      "counterfactual.no_record",
      "The record lacks what the model goes by: a few steps in a row with a reading of each of its outputs.",
      "Ask about a stretch that the record holds: twinctl data stats."),
    Entry(
      "counterfactual.no_such_input", "The model has no input at that place.", "Name one of the model's inputs."),
    Entry(
      "counterfactual.not_known", "The input was never read in this record, so nobody knows what it was.",
      "Ask about a stretch in which it was read."),
    Entry(
      "counterfactual.nothing_changed", "The value is what was, or the stretch holds no step of the model.",
      "Name another value, or another stretch."),
    Entry(
      "counterfactual.outside_history",
      "The input would have been further away than a tenth of its range from all that the model has seen. There its "
        + "answer would be a guess that looks like knowledge.",
      "Ask within what was seen, or try the value on the plant first."),
    Entry(
      "counterfactual.too_long", "The stretch has more steps, or steps times draws, than are asked at once.",
      "Take a shorter stretch, or fewer --draws."),
    Entry(
      "counterfactual.uncalibrated",
      "The model at work still stands at the guesses of its template: it was never fitted to this plant.",
      "Have it calibrated first: twind-learn."),
    Entry(
      "whatif.no_such_input", "No input of the model has this name, and none is fed by a point of this name.",
      "Take one of those that the answer lists."),
    Entry(
      "whatif.other_ticks",
      "The other pack reads other groups of points, so that the recorded ticks would mean something else to it.",
      "Compare packs that read the same devices in the same groups."),
    Entry("whatif.which_model", "The pack has several models.", "Name one: twinctl pack check --models."),
    Entry(
      "whatif.wrong_unit", "The value's unit measures something else than the input.",
      "Write the number in the unit that the answer names."),
  ]
}
