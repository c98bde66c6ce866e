//! The documents of an umbrella's members, put together, are the documents of the umbrella.

use moorline::helm::{Compat, Engine, Member, RenderInput, Rendered, enabled_dependencies};

use super::{first_difference, fleet};

/// Renders every member by itself and puts the results together.
pub(super) fn sum_of_members(umbrella: &fleet::Umbrella, compat: Compat) -> Rendered {
    let chart = umbrella.chart();
    let input = umbrella.input();
    let keys = enabled_dependencies(&chart, &input.layers).expect("enabled dependencies");
    let engine = Engine::new(compat);
    let render =
        |member| engine.render(&chart, &RenderInput { member, ..input.clone() }).expect("a member's render");
    let mut parts = vec![render(Member::Own)];
    for key in keys {
        let listed = chart.dependencies().iter().find(|dependency| dependency.key() == key).expect("listed");
        if chart.dependency_chart(listed).is_some_and(moorline::helm::Chart::is_library) {
            continue;
        }
        parts.push(render(Member::Dependency(key)));
    }
    Rendered::merged(parts, compat)
}

#[test]
fn the_sum_of_the_members_is_the_whole() {
    for seed in 0..40 {
        let umbrella = fleet::umbrella(seed);
        for compat in [Compat::V4_3, Compat::V3_19] {
            let whole = umbrella.render(compat);
            let sum = sum_of_members(&umbrella, compat).to_helm_output();
            assert!(whole == sum, "umbrella {seed} {compat:?}: {}", first_difference(&whole, &sum));
        }
    }
}
