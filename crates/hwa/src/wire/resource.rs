//! A resource of the wire: `ResourceInPlanV2`.

use resync_tws::model::{JobId, Resource, ResourceHolder, ResourceId, StreamId};
use resync_tws::ports::GatewayError;
use serde::Deserialize;

use super::{
    List, Object, Place, Scalar, bare_workstation, folder, optional_id, required_id, required_name,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct WireResource {
    id: Scalar,
    name: Scalar,
    folder: Scalar,
    workstation: Scalar,
    quantity: Scalar,
    quantity_in_use: Scalar,
    quantity_available: Scalar,
    status: Scalar,
    holders: List<Object<WireHolder>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireHolder {
    job_id: Scalar,
    job_key: Scalar,
    job_stream_id: Scalar,
    job_stream: Scalar,
    quantity: Scalar,
}

impl WireResource {
    /// The resource, or the place of what it cannot do without.
    pub(crate) fn read(self, place: Place) -> Result<Resource, GatewayError> {
        Ok(Resource {
            id: required_id(&self.id, place, ResourceId::parse)?,
            name: required_name(self.name, place)?,
            folder: folder(self.folder),
            workstation: bare_workstation(&self.workstation),
            quantity: self.quantity.number(),
            in_use: self.quantity_in_use.number(),
            available: self.quantity_available.number(),
            status: self.status.into_text(),
            holders: self
                .holders
                .into_items()
                .into_iter()
                .filter_map(|holder| holder.0)
                .map(|holder| ResourceHolder {
                    job_id: optional_id(&holder.job_id, JobId::parse),
                    job: holder.job_key.into_text(),
                    stream_id: optional_id(&holder.job_stream_id, StreamId::parse),
                    stream: holder.job_stream.into_text(),
                    quantity: holder.quantity.number(),
                })
                .collect(),
        })
    }
}
