//! Azure Blob Storage.
//!
//! Who we are, and which account, is told by the environment (`AZURE_*`), in object_store's words and order: a shared access signature or
//! the account's key; a client's secret; a federated token; the machine's identity.

use std::sync::Arc;

use object_store::{
    ObjectStore,
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
};

use super::{
    super::{BucketOptions, location::Place},
    Provider, Why, check_line, client_options, endpoint, settings, text_of,
    wire::{Patience, Wire, retries_off},
};

/// Azurite's own address, account and key, which are the same for everybody:
/// <https://learn.microsoft.com/azure/storage/common/storage-use-azurite>.
const EMULATOR: &str = "http://127.0.0.1:10000";
const EMULATED_ACCOUNT: &str = "devstoreaccount1";
const EMULATED_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

pub(super) fn provider(
    place: &Place,
    options: &BucketOptions,
    patience: Patience,
) -> Result<Provider, Why> {
    let mut builder = MicrosoftAzureBuilder::new();
    for (key, value) in settings::<AzureConfigKey>(options, "AZURE_") {
        // What concerns the client is the wire's.
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
        // object_store's own switch for it looks for the address in another variable.
        builder = builder
            .with_use_emulator(false)
            .with_account(account.as_deref().unwrap_or(EMULATED_ACCOUNT))
            .with_access_key(key.as_deref().unwrap_or(EMULATED_KEY));
    } else {
        check_line(&endpoint, options)?;
    }
    let base = text_of(&endpoint).to_owned();
    let container = place.bucket.clone();
    let builder = builder
        .with_endpoint(base.clone())
        .with_container_name(&container)
        .with_client_options(client_options(&endpoint, patience))
        .with_http_connector(Wire(patience))
        .with_retry(retries_off());
    Ok(Provider {
        make: Box::new(move || Ok(Arc::new(builder.clone().build()?) as Arc<dyn ObjectStore>)),
        endpoint,
        link: Box::new(move |key, version| match version {
            "" => format!("{base}/{container}/{key}"),
            version => format!("{base}/{container}/{key}?versionid={version}"),
        }),
    })
}
