//! The engine's bytes against output of the real helm that is kept beside the tests.

use moorline::helm::{Compat, Engine, RenderInput};

use super::{chart, first_difference, fleet, folder, read_folder};

/// The seeds of umbrellas whose output is kept.
pub(super) const SEEDS: [u64; 6] = [1, 2, 3, 5, 8, 13];

/// The charts whose output is kept: two that helm creates, and one in which the same is included with other data.
pub(super) const CHARTS: [&str; 3] = ["created-by-3", "created-by-4", "same-again"];

#[test]
fn charts_render_to_the_bytes_of_helm() {
    for source in CHARTS {
        let chart = chart(&read_folder(&folder().join("corpus").join(source)));
        for (compat, version) in [(Compat::V4_3, 4), (Compat::V3_19, 3)] {
            let input = RenderInput { release: "rel".to_owned(), ..RenderInput::default() };
            let got = Engine::new(compat).render(&chart, &input).expect("a render").to_helm_output();
            let want =
                std::fs::read(folder().join(format!("golden/{source}.helm{version}.yaml"))).expect("golden");
            assert!(want == got, "{source} as helm {version}: {}", first_difference(&want, &got));
        }
    }
}

#[test]
fn umbrellas_render_to_the_bytes_of_helm() {
    for seed in SEEDS {
        let umbrella = fleet::umbrella(seed);
        for (compat, version) in [(Compat::V4_3, 4), (Compat::V3_19, 3)] {
            let got = umbrella.render(compat);
            let want = std::fs::read(folder().join(format!("golden/umbrella-{seed}.helm{version}.yaml")))
                .expect("golden");
            assert!(want == got, "umbrella {seed} as helm {version}: {}", first_difference(&want, &got));
        }
    }
}
