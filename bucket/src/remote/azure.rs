//! Azure Blob Storage.
//!
//! Credentials and account come from the environment (`AZURE_*`), in object_store's words and
//! order: a shared access signature or the account's key; a client's secret; a federated token; the
//! machine's identity.

use std::sync::Arc;

use object_store::{
    ObjectStore,
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
};

use super::{
    StoreSetup, check_tls, client_options, endpoint,
    http::{Connector, Timeouts, no_retries},
    settings, without_slash,
};
use crate::{BucketOptions, location::RemoteLocation};

/// Azurite's own address, account and key, the same in every installation:
/// <https://learn.microsoft.com/azure/storage/common/storage-use-azurite>.
const EMULATOR: &str = "http://127.0.0.1:10000";
const EMULATED_ACCOUNT: &str = "devstoreaccount1";
const EMULATED_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

pub(super) fn setup(
    location: &RemoteLocation,
    options: &BucketOptions,
    timeouts: Timeouts,
) -> Result<StoreSetup, String> {
    let mut builder = MicrosoftAzureBuilder::new();
    for (key, value) in settings::<AzureConfigKey>(options, "AZURE_") {
        // Client settings are those of `http`.
        if !matches!(key, AzureConfigKey::Client(_)) {
            builder = builder.with_config(key, value);
        }
    }
    let set = |key| builder.get_config_value(&key);
    let emulated = set(AzureConfigKey::UseEmulator).as_deref() == Some("true");
    let (account, given) = (
        set(AzureConfigKey::AccountName),
        set(AzureConfigKey::Endpoint),
    );
    let key = set(AzureConfigKey::AccessKey);
    let address = match (given, &account) {
        (Some(given), _) => given,
        (None, _) if emulated => format!("{EMULATOR}/{EMULATED_ACCOUNT}"),
        (None, Some(account)) => format!("https://{account}.blob.core.windows.net"),
        (None, None) => {
            return Err("it has no account: give --bucket-option account_name=NAME, or AZURE_STORAGE_ACCOUNT_NAME".into());
        }
    };
    let endpoint = endpoint(&address)?;
    if emulated {
        // object_store's own switch reads the address from another variable.
        builder = builder
            .with_use_emulator(false)
            .with_account(account.as_deref().unwrap_or(EMULATED_ACCOUNT))
            .with_access_key(key.as_deref().unwrap_or(EMULATED_KEY));
    } else {
        check_tls(&endpoint, options)?;
    }
    let base = without_slash(&endpoint).to_owned();
    let container = location.bucket.clone();
    let builder = builder
        .with_endpoint(base.clone())
        .with_container_name(&container)
        .with_client_options(client_options(&endpoint, timeouts))
        .with_http_connector(Connector(timeouts))
        .with_retry(no_retries());
    Ok(StoreSetup {
        make: Box::new(move || Ok(Arc::new(builder.clone().build()?) as Arc<dyn ObjectStore>)),
        endpoint,
        link: Box::new(move |key, version| match version {
            "" => format!("{base}/{container}/{key}"),
            version => format!("{base}/{container}/{key}?versionid={version}"),
        }),
    })
}
