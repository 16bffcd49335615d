//! Checks of single values against tables of known answers.
