//! Under which names our programs' spans may be: whoever deploys may give them another one. Pure.

/// The names that our programs give themselves, the first to have a chunk before the others.
const OURS: [&str; 3] = ["crispy-ingestor", "crispy-uploader", "crispy-inspector"];

/// Services that are none of ours by their names, and are searched all the same: a Jaeger may know hundreds, and each is a question.
const MOST_OTHERS: usize = 30;

/// The services to search, the likeliest first: the one that OpenTelemetry's variables `name`, ours, and then what else Jaeger `knows`.
pub(super) fn in_order(named: Option<String>, known: Vec<String>) -> Vec<String> {
    let ours = OURS.map(str::to_owned);
    let mut services: Vec<String> = named.into_iter().chain(ours).collect();
    let likely = services.len();
    for service in known {
        if !services.contains(&service) {
            services.push(service);
        }
    }
    services.truncate(likely + MOST_OTHERS);
    services
}

/// The name that OpenTelemetry's variables give to every program of this environment.
pub(super) fn named(look: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let set = |name| look(name).filter(|value| !value.is_empty());
    let attributes = set("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    let mut attributes = attributes
        .split(',')
        .filter_map(|pair| pair.split_once('='));
    let attribute = attributes.find(|(key, _)| key.trim() == "service.name");
    set("OTEL_SERVICE_NAME").or_else(|| Some(attribute?.1.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_services_are_searched_first_and_of_the_others_not_all() {
        let mut known: Vec<String> = (0..100).map(|n| format!("other-{n}")).collect();
        known.push("crispy-uploader".into());
        let order = in_order(Some("video".into()), known);
        let expected = [
            "video",
            "crispy-ingestor",
            "crispy-uploader",
            "crispy-inspector",
            "other-0",
        ];
        assert_eq!(order[..5], expected);
        assert_eq!(order.len(), 4 + MOST_OTHERS);
        assert_eq!(in_order(None, Vec::new()), OURS);
    }

    #[test]
    fn the_name_of_a_service_is_what_opentelemetry_says_it_is() {
        let of = |variables: &[(&str, &str)]| {
            named(&|name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                Some(found?.1.to_owned())
            })
        };
        let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "a=b, service.name=cams");
        assert_eq!(of(&[attributes]).as_deref(), Some("cams"));
        let own = ("OTEL_SERVICE_NAME", "video");
        assert_eq!(of(&[attributes, own]).as_deref(), Some("video"));
        assert_eq!(of(&[("OTEL_SERVICE_NAME", "")]), None);
    }
}
