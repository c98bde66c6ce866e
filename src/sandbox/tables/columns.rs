//! The columns that kube-apiserver 1.37 prints for the kinds that it has built in. Data, nothing else.

/// What the scales of all resources are printed as.
pub(crate) const SCALES: &str = "scales.autoscaling";

/// Resource and columns: `name[:type][*]`, where a star marks those that only wide output shows.
pub(super) const COLUMNS: &[(&str, &str)] = &[
    ("apiservices.apiregistration.k8s.io", "Name|Service|Available|Age"),
    (
        "certificatesigningrequests.certificates.k8s.io",
        "Name|Age|SignerName|Requestor|RequestedDuration|Condition",
    ),
    ("clusterrolebindings.rbac.authorization.k8s.io", "Name|Role|Age|Users*|Groups*|ServiceAccounts*"),
    ("clusterroles.rbac.authorization.k8s.io", "Name|Created At:date"),
    ("clustertrustbundles.certificates.k8s.io", "Name|SignerName"),
    ("configmaps", "Name|Data|Age"),
    ("controllerrevisions.apps", "Name|Controller|Revision|Age"),
    (
        "cronjobs.batch",
        "Name|Schedule|Timezone|Suspend:boolean|Active:integer|Last Schedule|Age|Containers*|Images*|Selector*",
    ),
    (
        "csidrivers.storage.k8s.io",
        "Name|AttachRequired:boolean|PodInfoOnMount:boolean|StorageCapacity:boolean|TokenRequests|RequiresRepublish:boolean|Modes|Age",
    ),
    ("csinodes.storage.k8s.io", "Name|Drivers:integer|Age"),
    ("csistoragecapacities.storage.k8s.io", "Name|Created At:date"),
    (
        "customresourcedefinitions.apiextensions.k8s.io",
        "Name|Scope|Versions|Created At:date|Group*|Kind*|ShortNames*|Established:boolean*",
    ),
    (SCALES, "Name|Desired:integer|Available:integer|Age"),
    (
        "daemonsets.apps",
        "Name|Desired:integer|Current:integer|Ready:integer|Up-to-date:integer|Available:integer|Node Selector|Age|Containers*|Images*|Selector*",
    ),
    ("deployments.apps", "Name|Ready|Up-to-date|Available|Age|Containers*|Images*|Selector*"),
    ("deviceclasses.resource.k8s.io", "Name|Age"),
    ("devicetaintrules.resource.k8s.io", "Name|Key|Value|Effect|TimeAdded|Age"),
    ("endpoints", "Name|Endpoints|Age"),
    ("endpointslices.discovery.k8s.io", "Name|AddressType|Ports|Endpoints|Age"),
    ("events", "Last Seen|Type|Reason|Object|Subobject*|Source*|Message|First Seen*|Count*|Name*"),
    (
        "events.events.k8s.io",
        "Last Seen|Type|Reason|Object|Subobject*|Source*|Message|First Seen*|Count*|Name*",
    ),
    (
        "flowschemas.flowcontrol.apiserver.k8s.io",
        "Name|PriorityLevel|MatchingPrecedence|DistinguisherMethod|Age|MissingPL",
    ),
    ("horizontalpodautoscalers.autoscaling", "Name|Reference|Targets|MinPods|MaxPods|Replicas|Age"),
    ("ingressclasses.networking.k8s.io", "Name|Controller|Parameters|Age"),
    ("ingresses.networking.k8s.io", "Name|Class|Hosts|Address|Ports|Age"),
    ("ipaddresses.networking.k8s.io", "Name|ParentRef"),
    ("jobs.batch", "Name|Status|Completions|Duration|Age|Containers*|Images*|Selector*"),
    ("leases.coordination.k8s.io", "Name|Holder|Age"),
    ("limitranges", "Name|Created At:date"),
    ("mutatingadmissionpolicies.admissionregistration.k8s.io", "Name|Mutations:integer|ParamKind|Age"),
    ("mutatingadmissionpolicybindings.admissionregistration.k8s.io", "Name|PolicyName|ParamRef|Age"),
    ("mutatingwebhookconfigurations.admissionregistration.k8s.io", "Name|Webhooks:integer|Age"),
    ("namespaces", "Name|Status|Age"),
    ("networkpolicies.networking.k8s.io", "Name|Pod-Selector|Age"),
    (
        "nodes",
        "Name|Status|Roles|Age|Version|Internal-IP*|External-IP*|OS-Image*|Kernel-Version*|Container-Runtime*",
    ),
    (
        "persistentvolumeclaims",
        "Name|Status|Volume|Capacity|Access Modes|StorageClass|VolumeAttributesClass|Age|VolumeMode*",
    ),
    (
        "persistentvolumes",
        "Name|Capacity|Access Modes|Reclaim Policy|Status|Claim|StorageClass|VolumeAttributesClass|Reason|Age|VolumeMode*",
    ),
    (
        "podcertificaterequests.certificates.k8s.io",
        "Name|PodName|ServiceAccountName|NodeName|SignerName|State|UnverifiedUserAnnotations",
    ),
    ("poddisruptionbudgets.policy", "Name|Min Available|Max Unavailable|Allowed Disruptions:integer|Age"),
    ("pods", "Name|Ready|Status|Restarts|Age|IP*|Node*|Nominated Node*|Readiness Gates*"),
    ("podtemplates", "Name|Containers|Images|Pod Labels"),
    ("priorityclasses.scheduling.k8s.io", "Name|Value:integer|Global-Default:boolean|Age|PreemptionPolicy"),
    (
        "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
        "Name|Type|NominalConcurrencyShares|Queues|HandSize|QueueLengthLimit|Age",
    ),
    (
        "replicasets.apps",
        "Name|Desired:integer|Current:integer|Ready:integer|Age|Containers*|Images*|Selector*",
    ),
    (
        "replicationcontrollers",
        "Name|Desired:integer|Current:integer|Ready:integer|Age|Containers*|Images*|Selector*",
    ),
    ("resourceclaims.resource.k8s.io", "Name|State|Age"),
    ("resourceclaimtemplates.resource.k8s.io", "Name|Age"),
    ("resourcequotas", "Name|Request|Limit|Age"),
    ("resourceslices.resource.k8s.io", "Name|Node|Driver|Pool|Age"),
    ("rolebindings.rbac.authorization.k8s.io", "Name|Role|Age|Users*|Groups*|ServiceAccounts*"),
    ("roles.rbac.authorization.k8s.io", "Name|Created At:date"),
    ("runtimeclasses.node.k8s.io", "Name|Handler|Age"),
    ("secrets", "Name|Type|Data|Age"),
    ("serviceaccounts", "Name|Age"),
    ("servicecidrs.networking.k8s.io", "Name|CIDRs|Age"),
    ("services", "Name|Type|Cluster-IP|External-IP|Port(s)|Age|Selector*"),
    ("statefulsets.apps", "Name|Ready|Age|Containers*|Images*"),
    (
        "storageclasses.storage.k8s.io",
        "Name|Provisioner|ReclaimPolicy|VolumeBindingMode|AllowVolumeExpansion|Age",
    ),
    ("storageversionmigrations.storagemigration.k8s.io", "Name|Resource|Status"),
    ("validatingadmissionpolicies.admissionregistration.k8s.io", "Name|Validations:integer|ParamKind|Age"),
    ("validatingadmissionpolicybindings.admissionregistration.k8s.io", "Name|PolicyName|ParamRef|Age"),
    ("validatingwebhookconfigurations.admissionregistration.k8s.io", "Name|Webhooks:integer|Age"),
    ("volumeattachments.storage.k8s.io", "Name|Attacher|PV|Node|Attached:boolean|Age"),
    ("volumeattributesclasses.storage.k8s.io", "Name|DriverName|Age"),
];
