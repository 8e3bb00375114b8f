extension ErrorGuide {
  /// What the learner says, and the daemon of it.
  static let learning: [Entry] = [
    Entry(
      "learn.closed", "The folder or the key of learning cannot be made; the models stay as they are.",
      "Give user twind the state folder, then restart twind."),
    Entry("learn.folder", "The folder of learning cannot be written.", "See what the cause says: full, or read-only."),
    Entry(
      "learn.key_changed", "learn/learner.key is not the key that this site made; its candidates are refused.",
      "Find out who replaced it; to begin anew remove it and restart twind."),
    Entry(
      "training.candidate_refused", "A candidate's signature, digest or manifest does not fit; it was put away.",
      "Train again; the reason stands beside it in learn/refused."),
    Entry(
      "training.candidate_too_big", "The trained model is larger than a tick can carry.",
      "Split it, or give it fewer outputs or horizons in models.yaml."),
    Entry(
      "training.history_malformed", "The table to learn from cannot be read; the message names the line.",
      "One line of column names, which are point ids, then one line of numbers a step."),
    Entry("training.io", "The store or the folder of learning cannot be read or written.", "See the message."),
    Entry("training.key_refused", "The learner has no key, or others may read it.", "Start twind once; it makes one."),
    Entry(
      "training.no_fit", "No start of the calibration could run the model over its history.",
      "Look at priors and units: twinctl pack check --models."),
    Entry("training.no_models", "The pack has no models.", "twinctl pack check --models says what is missing."),
    Entry("training.pack_invalid", "The pack has errors.", "twinctl pack check DIR."),
    Entry(
      "training.request_malformed", "learn/request.json is none that a daemon wrote.",
      "Remove it, and ask again: twinctl model train."),
    Entry(
      "training.too_little_data", "The record holds too little of the model's points to learn from.",
      "The message says what is missing; let the site record for some days."),
    Entry("training.unknown_model", "The site has no model of that name.", "twinctl model list."),
  ]
}
