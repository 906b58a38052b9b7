//! Instances come, go and come back.

use super::*;

#[test]
fn a_new_job_asks_for_places_and_starts_what_was_assigned() {
    let mut stage = Stage::new();
    assert_eq!(stage.apply(spec(2)), "created");
    let asked = stage.places_asked();
    assert_eq!(asked.len(), 2, "one place for each instance");
    stage.assign(asked[0], "n1");
    assert_eq!(stage.started(), [asked[0]], "an assigned instance is told to start");
    stage.see(asked[0], Some(healthy()));
    assert_eq!(stage.job.healthy(), 1);
    assert!(stage.said.iter().any(|(_, body)| matches!(body, Body::Node(node::Message::Noted { .. }))));
    assert_eq!(stage.apply(spec(2)), "unchanged");
}
