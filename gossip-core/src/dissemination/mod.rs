//! How an update comes to everybody.
