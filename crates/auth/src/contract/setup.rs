//! The laws of [`SetupTokenStore`].

use super::at;
use crate::ports::{SetupRecord, SetupTokenStore};

/// Gives an adapter one test for each law.
#[macro_export]
macro_rules! setup_token_store_contract {
    ($make:path) => {
        $crate::setup_token_store_contract!(@ $make:
            there_is_at_most_one_token,
            a_cleared_token_is_gone,
        );
    };
    (@ $make:path: $($law:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $law() {
                let fixture = $make().await;
                $crate::contract::setup::$law(&*fixture).await;
            }
        )*
    };
}

fn record(number: u8) -> SetupRecord {
    SetupRecord {
        digest: [number; 32],
        expires_at: at(i64::from(number)),
    }
}

/// A new one takes the place of the one before.
pub async fn there_is_at_most_one_token(tokens: &dyn SetupTokenStore) {
    assert_eq!(tokens.find().await.unwrap(), None);
    tokens.replace(&record(1)).await.unwrap();
    assert_eq!(tokens.find().await.unwrap(), Some(record(1)));
    tokens.replace(&record(2)).await.unwrap();
    assert_eq!(tokens.find().await.unwrap(), Some(record(2)));
}

/// Clearing what is not there is no error.
pub async fn a_cleared_token_is_gone(tokens: &dyn SetupTokenStore) {
    tokens.clear().await.unwrap();
    tokens.replace(&record(1)).await.unwrap();
    tokens.clear().await.unwrap();
    assert_eq!(tokens.find().await.unwrap(), None);
}
